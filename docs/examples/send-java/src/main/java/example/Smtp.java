package example;

import jakarta.mail.MessagingException;
import org.springframework.mail.javamail.JavaMailSenderImpl;
import org.springframework.mail.javamail.MimeMessageHelper;

/** Sends a mail by SMTP with the binding's credentials: java -jar send.jar TO */
public final class Smtp {
    private Smtp() {}

    public static void main(String[] arguments) throws MessagingException {
        var sender = sender();
        var message = sender.createMimeMessage();
        var helper = new MimeMessageHelper(message, "UTF-8");
        helper.setFrom("no-reply@" + Binding.credential("domain"));
        helper.setTo(arguments[0]);
        helper.setSubject("It works");
        helper.setText("Sent by SMTP.");
        message.setHeader("X-SES-MESSAGE-TAGS", "campaign=welcome"); // comes back in each event, in data.mail.tags
        sender.send(message);
        System.out.println("sent");
    }

    /** A sender that requires STARTTLS and checks the server's name. */
    static JavaMailSenderImpl sender() {
        var sender = new JavaMailSenderImpl();
        sender.setHost(Binding.credential("smtp_server"));
        sender.setPort(Integer.parseInt(Binding.credential("smtp_port")));
        sender.setUsername(Binding.credential("smtp_user"));
        sender.setPassword(Binding.credential("smtp_password"));
        var properties = sender.getJavaMailProperties();
        properties.put("mail.smtp.auth", "true");
        properties.put("mail.smtp.starttls.enable", "true");
        properties.put("mail.smtp.starttls.required", "true");
        properties.put("mail.smtp.ssl.checkserveridentity", "true");
        properties.put("mail.smtp.connectiontimeout", "10000");
        properties.put("mail.smtp.timeout", "30000");
        return sender;
    }
}
